import { testKafka } from '../helpers/broker.ts'
import { conformance } from './conformance.ts'

conformance(testKafka)

import { suite } from 'node:test'
import type { Kafka } from '../../src/kafka/index.ts'
import { asReal } from '../../test/fakes/kafka.ts'
import { brokerAddress } from '../../test/helpers/broker.ts'
import { conformance } from '../../test/kafka/conformance.ts'
import { SecondKafka } from './kafka.ts'

const settings = async () => ({ brokers: [await brokerAddress()], clientId: 'second' })

suite('platformatic', () => conformance(async () => asReal<Kafka>(new SecondKafka(await settings()))))

import { FakeCluster } from '../fakes/kafka.ts'
import { conformance } from './conformance.ts'

const cluster = new FakeCluster()
conformance(async settings => cluster.client(settings).kafka)

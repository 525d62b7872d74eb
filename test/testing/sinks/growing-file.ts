import { GrowingFileSink } from '../../../connectors/growing-file-sink.ts'

export default (path: string) => new GrowingFileSink({ path, force: false })

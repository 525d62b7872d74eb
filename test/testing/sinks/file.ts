import { FileSink } from '../../../connectors/file-sink.ts'

export default (path: string) => new FileSink({ path, force: false })

import { createWriteStream } from 'node:fs'
import { StdoutSink } from '../../../connectors/stdout-sink.ts'

/** Standard output is a file here, to which each process appends. */
export default (path: string) => new StdoutSink(createWriteStream(path, { flags: 'a' }))

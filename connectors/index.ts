/** The connectors that the command line uses, `rowmill/connectors`: sources and sinks for `run`, and their parts. */
export { OutputFormat } from './csv/output-format.ts'
export { CsvSource, type CsvSourceOptions } from './csv-source.ts'
export { FileSink, type FileSinkOptions } from './file-sink.ts'
export { GrowingFileSink, type GrowingFileSinkOptions } from './growing-file-sink.ts'
export { StdoutSink } from './stdout-sink.ts'
export { type TcpAddress, tcpAddress } from './tcp/address.ts'
export { TcpSink, type TcpSinkOptions } from './tcp-sink.ts'
export { TcpSource, type TcpSourceOptions } from './tcp-source.ts'

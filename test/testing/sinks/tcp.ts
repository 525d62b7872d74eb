import { tcpAddress } from '../../../connectors/tcp/address.ts'
import { TcpSink } from '../../../connectors/tcp-sink.ts'

export default (address: string) => new TcpSink({ address: tcpAddress(address)! })

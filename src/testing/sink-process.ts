/** A process that writes to a sink and is killed, for `testSink`: no handler and no `finally` of the sink runs. */
import type { Sink, SinkHeader } from '../connector.ts'
import type { Values } from '../model.ts'

export type Step =
  | { readonly write: readonly Values[] }
  | { readonly checkpoint: string }
  /** Of a sink that has no `flush`: nothing. */
  | { readonly flush: true }

interface SinkScript {
  readonly module: string
  readonly output: string
  readonly header: SinkHeader
  readonly steps: readonly Step[]
}

const { module, output, header, steps }: SinkScript = JSON.parse(process.argv[2]!)
const { default: create } = (await import(module)) as { default: (output: string) => Sink }
const sink = create(output)
await sink.open()
await sink.begin(header)
for (const step of steps) {
  if ('write' in step) await sink.write(step.write)
  else if ('checkpoint' in step) await sink.checkpoint(step.checkpoint)
  else await sink.flush?.()
}
process.kill(process.pid, 'SIGKILL')

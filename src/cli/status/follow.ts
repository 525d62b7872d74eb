import type { PipelineView, ViewSource } from '../../watch/view.ts'

/** Shows the views of a source, until one is the last. Resolves with that one. */
export function untilLast(
  source: ViewSource,
  {
    show,
    isLast,
    signal,
  }: { show: (view: PipelineView) => void; isLast: (view: PipelineView) => boolean; signal: AbortSignal },
): Promise<PipelineView> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      unsubscribe()
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = () => end(() => reject(signal.reason))
    const unsubscribe = source.subscribe(view => {
      try {
        show(view)
        if (isLast(view)) end(() => resolve(view))
      } catch (error) {
        end(() => reject(error))
      }
    })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

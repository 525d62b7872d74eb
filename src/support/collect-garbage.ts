import v8 from 'node:v8'
import vm from 'node:vm'

let collect: (() => void) | null = null

/**
 * Runs a full garbage collection, which takes 20 to 50 ms. Node has no function for it without a flag at startup.
 * For callers that drop buffers of many MB: these lie outside V8's heap, and V8 lets 200 MB of them pile up.
 */
export function collectGarbage(): void {
  if (!collect) {
    v8.setFlagsFromString('--expose-gc')
    collect = vm.runInNewContext('gc') as () => void
  }
  collect()
}

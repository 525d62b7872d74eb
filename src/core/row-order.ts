import type { ArrivalPosition } from './arrival-order.ts'
import type { ReassemblerPosition } from './reassembler.ts'

/** Where a reader of ordered results stands. */
export type ReadPosition = ReassemblerPosition | ArrivalPosition

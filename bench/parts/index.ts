import type { Part } from '../part.ts'
import { defaultGroups } from './default-groups.ts'
import { fairness } from './fairness.ts'
import { kill } from './kill.ts'
import { pass } from './pass.ts'
import { polling } from './polling.ts'
import { quarter } from './quarter.ts'
import { slowerSpeed, speed } from './speed.ts'
import { start } from './start.ts'
import { waiting } from './waiting.ts'
import { watched } from './watched.ts'

/** In the order in which they run and in which a new bench/results.md has them. */
export const PARTS: readonly Part[] = [
  start,
  speed,
  slowerSpeed,
  polling,
  defaultGroups,
  kill,
  pass,
  waiting,
  quarter,
  fairness,
  watched,
]

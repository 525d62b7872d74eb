import type { Registry } from 'prom-client'
import { addCounter, addGauge } from './series.ts'

/** Adds what this process is, and what it takes. Its workers are processes of their own. */
export function addProcessMetrics(
  registry: Registry,
  { command, version }: { readonly command: string; readonly version: string },
): void {
  addGauge(registry, {
    name: 'rowmill_build_info',
    help: '1, with the version of rowmill and the command that runs.',
    labels: ['version', 'command'],
    fill: set => set({ version, command }, 1),
  })
  addCounter(registry, {
    name: 'process_cpu_seconds_total',
    help: 'CPU seconds of the process that answers, without its workers.',
    fill: set => {
      const { user, system } = process.cpuUsage()
      set({}, (user + system) / 1e6)
    },
  })
  addGauge(registry, {
    name: 'process_resident_memory_bytes',
    help: 'Memory of the process that answers, without its workers.',
    fill: set => set({}, process.memoryUsage.rss()),
  })
  addGauge(registry, {
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since 1970.',
    fill: set => set({}, performance.timeOrigin / 1000),
  })
}

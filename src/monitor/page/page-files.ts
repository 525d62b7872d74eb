import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface PageFile {
  readonly type: string
  read(): Buffer
}

const FILES = new URL('./files/', import.meta.url)
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'
const OWN_SCRIPTS = [
  ...['page', 'chart', 'connection', 'copy', 'dom', 'headline', 'jobs', 'partitions'],
  ...['rejects', 'state', 'time', 'timeline', 'words', 'workers'],
]

/** The files of the page by their path in the address: ours, and those of uPlot, which draws the chart, with its licence. */
export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
  '/': own('page.html', 'text/html; charset=utf-8'),
  '/page.css': own('page.css', STYLE),
  '/icon.svg': own('icon.svg', 'image/svg+xml'),
  ...Object.fromEntries(OWN_SCRIPTS.map(name => [`/${name}.js`, own(`${name}.js`, SCRIPT)])),
  '/uplot/uplot.js': ofUplot('dist/uPlot.iife.min.js', SCRIPT),
  '/uplot/uplot.css': ofUplot('dist/uPlot.min.css', STYLE),
  '/uplot/license.txt': ofUplot('LICENSE', 'text/plain; charset=utf-8'),
}

function own(name: string, type: string): PageFile {
  return { type, read: once(() => readFileSync(new URL(name, FILES))) }
}

function ofUplot(path: string, type: string): PageFile {
  const folder = () => dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  return { type, read: once(() => readFileSync(join(folder(), path))) }
}

/** Reads a file when it is asked for, and keeps its bytes. */
function once(read: () => Buffer): () => Buffer {
  let bytes: Buffer | null = null
  return () => {
    bytes ??= read()
    return bytes
  }
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface WaitingClassifier {
  readonly file: string
  /** It exists when the classifier waits. */
  readonly waits: string
  /** The classifier waits until somebody writes it. */
  readonly go: string
}

/** A classifier in this folder that gives the length of column A, and waits at row 100. */
export function waitingClassifier(folder: string): WaitingClassifier {
  const [file, waits, go] = ['classifier.py', 'waits', 'go'].map(name => join(folder, name)) as [string, string, string]
  const lines = [
    'import os, time',
    `GO, WAITS = ${JSON.stringify(go)}, ${JSON.stringify(waits)}`,
    'def classify_df(df):',
    '    while int(df.index[0]) >= 100 and not os.path.exists(GO):',
    "        open(WAITS, 'w').close()",
    '        time.sleep(0.05)',
    "    df['LENGTH'] = [len(value) for value in df['A']]",
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  return { file, waits, go }
}

import type { Recipe } from './job-slot.ts'

/** Two kinds of jobs with different headers, indices, blocks and options. */
export const RECIPES: readonly Recipe[] = [
  {
    name: 'commas',
    head: 'ID,A',
    line: (index, row) => `${index},"text, ${row}"`,
    readCsv: {},
    toCsv: { header: false },
    publish: [],
  },
  {
    name: 'semicolons',
    head: 'KEY;NÄME;NOTE;MORE',
    line: (index, row) => `k${index};na,me ${row};"say ""${row}""; ü";${row % 3 === 0 ? '' : row / 4}`,
    readCsv: { sep: ';' },
    toCsv: { header: true, sep: '|' },
    publish: ['--batch-rows', '70'],
  },
]

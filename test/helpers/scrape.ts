/** What a scrape says: the value of each series, by its name with its labels as they stand there. */
export function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}

/** The series of one metric, without its name. */
export function ofMetric(text: string, name: string): Record<string, number> {
  const found = [...seriesOf(text)].filter(([series]) => series === name || series.startsWith(`${name}{`))
  return Object.fromEntries(found.map(([series, value]) => [series.slice(name.length).replace(/^\{|\}$/g, ''), value]))
}

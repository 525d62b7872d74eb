/** What docs/errors.md says about one error code, without Markdown. */
export interface ErrorEntry {
  readonly code: string
  /** The line with the exit code and how the job resumes: `Exit 2 · resume: no`. */
  readonly outcome: string
  readonly meaning: string
  readonly cause: string
  readonly cure: string
  readonly example: string
}

/** Every entry of docs/errors.md, in the order of the page. */
export function errorEntries(page: string): ErrorEntry[] {
  const [, ...sections] = page.split(/^### /m)
  return sections.map(section => {
    const [head = '', meaning = '', list = ''] = section.replace(/^## .*/ms, '').split('\n\n')
    const [code = '', outcome = ''] = head.split('\n')
    const [, cause = '', cure = '', example = ''] = list.split(/^- \*\*\w+:\*\* /m)
    return {
      code,
      outcome,
      meaning: plain(meaning),
      cause: plain(cause),
      cure: plain(cure),
      example: unquoted(example),
    }
  })
}

/** One line without Markdown. A link shows the page that it leads to; pages are in the folder docs. */
function plain(markdown: string): string {
  const link = /\[([^\]]*)\]\(([^)#]*)[^)]*\)/g
  const bracketed = new RegExp(`\\(${link.source}\\)`, 'g')
  return unquoted(markdown.replaceAll(bracketed, '($1: docs/$2)').replaceAll(link, '$1 (docs/$2)'))
}

function unquoted(markdown: string): string {
  return markdown.replaceAll('`', '').replaceAll(/\s+/g, ' ').trim()
}

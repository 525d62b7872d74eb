const MODULE = /^(?<file>.+\.[cm]?[jt]s)(?::(?<name>[^:/\\]+))?$/

/** The file and the export that `--classifier` names if it is TypeScript or JavaScript. Null if it is Python. */
export function moduleTarget(target: string): { file: string; name: string } | null {
  const { file, name } = MODULE.exec(target)?.groups ?? {}
  return file === undefined ? null : { file, name: name ?? 'default' }
}

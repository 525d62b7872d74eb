import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Checkpoint, CheckpointedFile, hasContent } from './checkpointed-file.ts'
import { OutputLock } from './output-lock.ts'
import { appear, syncFolder, takeAccessOf, unfinishedFolder, writing } from './output-path.ts'
import { checkPrivateFolder } from './private-folder.ts'

/**
 * Finishes the commit of a sink that was killed in it: gives the output its name, and removes the files beside it. Resolves
 * with true if the output of this job is then there, complete and unchanged. It compares length and digest with those of
 * the sink's checkpoint. Throws OUTPUT_LOCKED, OUTPUT_UNUSABLE or OUTPUT_FAILED.
 */
export async function finishCommit(path: string, job: string): Promise<boolean> {
  const folder = unfinishedFolder(path)
  if (!(await writing(path, () => checkPrivateFolder(folder)))) return false
  const file = new CheckpointedFile(folder)
  const last = await file.last().catch(() => null) // the next sink that is opened says what is wrong with it
  if (last?.complete?.job !== job) return false
  const lock = new OutputLock(path, folder)
  return await writing(path, async () => {
    await lock.take()
    try {
      const isDone = (await hasContent(path, last.complete!)) || (await nameNow(path, last))
      if (isDone) await file.remove()
      return isDone
    } finally {
      await lock.release()
    }
  })
}

/** Removes the proof that a sink with `keepsProof` left after it committed the output of this job. */
export async function forgetCommit(path: string, job: string): Promise<void> {
  const folder = unfinishedFolder(path)
  if (!(await writing(path, () => checkPrivateFolder(folder)))) return
  const lock = new OutputLock(path, folder)
  await writing(path, async () => {
    await lock.take()
    try {
      const file = new CheckpointedFile(folder)
      if ((await file.last())?.complete?.job === job) await file.remove()
    } finally {
      await lock.release()
    }
  })
}

async function nameNow(path: string, { partial, complete }: Checkpoint): Promise<boolean> {
  if (partial === null || complete!.appended || (await stat(path).catch(() => null))) return false
  const finished = join(unfinishedFolder(path), partial)
  if (!(await hasContent(finished, complete!))) return false
  await takeAccessOf(path, finished)
  await appear(finished, path)
  await syncFolder(dirname(path))
  return true
}

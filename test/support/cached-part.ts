import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { partsDirectory } from '../../docker/stack/install.ts'
import { withLock } from '../../docker/stack/lock.ts'
import { missingTools, missingToolsError, type Tool } from '../../docker/stack/prerequisites.ts'

const LOCK_WAIT_MS = 30 * 60_000

/** Something that tests fetch once and all checkouts share. */
export interface CachedPart {
  /** Name of its folder, with its version. */
  readonly folder: string
  /** A file that is there only in a complete one. */
  readonly proof: string
  /** What builds it, where that is not everywhere. */
  readonly tool?: Tool
  /** Fills the folder `into`, which exists and is empty. */
  readonly build: (into: string) => Promise<void>
}

/**
 * The folder of a part; makes it when it is absent, one process at a time. It is built beside its
 * place and renamed into it, so what has the name is complete.
 * Throws STACK_TOOL_MISSING, STACK_INSTALL_FAILED or STACK_BUSY.
 */
export async function cachedPart({ folder, proof, tool, build }: CachedPart): Promise<string> {
  const final = join(partsDirectory(), folder)
  const isThere = () => existsSync(join(final, proof))
  if (isThere()) return final
  const missing = await missingTools(tool === undefined ? [] : [tool])
  if (missing.length > 0) throw missingToolsError(missing)
  await withLock(`${final}.lock`, LOCK_WAIT_MS, async () => {
    if (isThere()) return
    clearUnfinished(folder)
    // Not named as the drafts of the stack, which its own install clears away.
    const unfinished = `${final}.${process.pid}.unfinished`
    mkdirSync(unfinished, { recursive: true })
    await build(unfinished)
    rmSync(final, { recursive: true, force: true })
    renameSync(unfinished, final)
  })
  return final
}

// The caller holds the lock: what is unfinished belongs to a process that died or failed.
function clearUnfinished(folder: string): void {
  for (const name of readdirSync(partsDirectory())) {
    if (!name.startsWith(`${folder}.`) || !name.endsWith('.unfinished')) continue
    rmSync(join(partsDirectory(), name), { recursive: true })
  }
}

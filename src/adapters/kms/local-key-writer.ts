import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { messageOf, SealError } from '../../errors.ts'
import { DEK_BYTES } from '../../limits.ts'
import {
  LOCAL_KEY_NAME,
  type LocalKeyTable,
  readKeyTable,
  renderKeyTable,
} from './local-key-file.ts'

/** What is to be done to a key file. */
export interface LocalKeyChange {
  readonly path: string
  readonly name: string
  /** Adds a version to a key that is there, instead of making one that is not. */
  readonly rotate: boolean
  readonly nowMs: number
}

/** The newest version of the key, and whether the file was written for it. */
export interface LocalKeyState {
  readonly version: number
  readonly isNew: boolean
}

/**
 * Makes the file, a key in it, or a version of a key. A key that is there is left alone unless it is
 * to be rotated; no version is ever taken away. The file is replaced in one step, mode 0600.
 * Throws SEAL_INPUT_INVALID for a name that is none, SEAL_KEY_UNKNOWN for a rotation of nothing,
 * SEAL_OUTPUT_FAILED, and what reading throws.
 */
export async function changeKeyFile(change: LocalKeyChange): Promise<LocalKeyState> {
  const { path, name } = change
  if (!LOCAL_KEY_NAME.test(name)) {
    throw new SealError(
      'SEAL_INPUT_INVALID',
      'the name of a key must be up to 64 letters, digits, dots, hyphens and underscores',
    )
  }
  return rewritten(path, (table) => changeTable(table, change))
}

/**
 * Takes a key, or one version of it, out of the file for good. One that is not there is fine. Throws
 * SEAL_INPUT_INVALID for the version that wraps and for the last key of the file, and otherwise as
 * {@link changeKeyFile}.
 */
export async function dropLocalKey(
  path: string,
  name: string,
  version: number | null,
): Promise<void> {
  await rewritten(path, (table) => ({ isNew: dropFrom(table, name, version) }))
}

/** Changes the file under a lock; it is written when the change says that there is something new. */
async function rewritten<T extends { readonly isNew: boolean }>(
  path: string,
  change: (table: LocalKeyTable) => T,
): Promise<T> {
  // The draft is the lock as well: who cannot create it is not alone, and reads nothing yet.
  const draft = `${path}.draft`
  const file = await createDraft(path, draft)
  try {
    const table = await tableOf(path)
    const state = change(table)
    if (state.isNew) await replace(path, draft, file, renderKeyTable(table))
    else await rm(draft)
    return state
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  } finally {
    await file.close()
    await syncFolder(path)
  }
}

/** Whether there was something to take out. */
function dropFrom(table: LocalKeyTable, name: string, version: number | null): boolean {
  const versions = table.get(name)
  if (versions === undefined) return false
  if (version === null) {
    if (table.size === 1) {
      const message = `${name} is the last key of the file; delete the file instead`
      throw new SealError('SEAL_INPUT_INVALID', message)
    }
    return table.delete(name)
  }
  const kept = versions.filter((one) => one.version !== version)
  if (kept.length === versions.length) return false
  if (versions.at(-1)?.version === version) {
    const message = `version ${version} of ${name} is the one that wraps; rotate the key first`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  table.set(name, kept)
  return true
}

function changeTable(table: LocalKeyTable, change: LocalKeyChange): LocalKeyState {
  const { path, name, rotate, nowMs } = change
  const versions = table.get(name) ?? []
  const newest = versions.at(-1)?.version ?? 0
  if (rotate && newest === 0) {
    throw new SealError(
      'SEAL_KEY_UNKNOWN',
      `there is no key ${name} in ${path} to rotate; leave out --rotate to make it`,
    )
  }
  if (!rotate && newest > 0) return { version: newest, isNew: false }
  const version = newest + 1
  const key = randomBytes(DEK_BYTES).toString('base64')
  const createdAt = new Date(nowMs).toISOString()
  table.set(name, [...versions, { version, key, createdAt }])
  return { version, isNew: true }
}

/** Empty only when there is no file: one that cannot be read must not be written over. */
async function tableOf(path: string): Promise<LocalKeyTable> {
  return existsSync(path) ? readKeyTable(path) : new Map()
}

async function createDraft(path: string, draft: string): Promise<FileHandle> {
  try {
    return await open(draft, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw cannotWrite(path, error)
    throw new SealError(
      'SEAL_OUTPUT_FAILED',
      `${draft} is there: another process writes the file, or one was cut off; if none runs, delete it`,
    )
  }
}

/** On disk before it is in place, so that no crash leaves half a file under the name. */
async function replace(path: string, draft: string, file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text)
    await file.sync()
    await rename(draft, path)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** A rename that a power cut takes back would take a version with it that wraps already. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(resolve(path)), 'r')
  await folder.sync().finally(() => folder.close())
}

function cannotWrite(path: string, error: unknown): SealError {
  const { errno } = error as NodeJS.ErrnoException
  const reason = errno === undefined ? messageOf(error) : getSystemErrorMessage(errno)
  return new SealError('SEAL_OUTPUT_FAILED', `${path} cannot be written: ${reason}`)
}

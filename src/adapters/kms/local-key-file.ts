import { createSecretKey, type KeyObject } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { SealError } from '../../errors.ts'

/**
 * The key file of the local provider, as JSON: `{"v":1,"about":…,"keys":{NAME:[{"version":1,
 * "key":"base64 of 32 bytes","createdAt":"ISO 8601"},…]}}`, versions ascending.
 */

/** One version of a key as the file holds it. */
export interface LocalKeyEntry {
  readonly version: number
  readonly key: string
  readonly createdAt: string
}

/** The keys of a file by name, versions ascending. */
export type LocalKeyTable = Map<string, LocalKeyEntry[]>

/** Versions of one key, ascending. */
export type KekVersions = ReadonlyMap<number, KeyObject>

const FORMAT = 1
const ABOUT = 'KEKs for laptops and tests: whoever has this file has every key'
const FILE_BYTES_MAX = 1024 * 1024
const KEY_TEXT = /^[A-Za-z0-9+/]{43}=$/
const VERSION_MAX = 0xffff_ffff
/** Rights of group and others. */
const OTHERS = 0o077n

/** What a key may be called; a full name is `local/NAME`. */
export const LOCAL_KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * A key file that is read again whenever it has changed, so that a rotation reaches a process that
 * runs. Nothing of an older reading is served when the file cannot be read any more.
 */
export class LocalKeyFile {
  readonly #path: string
  #stamp = ''
  #keys: ReadonlyMap<string, KekVersions> = new Map()

  constructor(path: string) {
    this.#path = path
  }

  /**
   * The keys by name, as the file is now. Throws SEAL_KMS_UNAVAILABLE when it is not there,
   * SEAL_KMS_DENIED when it may not be read, SEAL_KMS_REFUSED when others may read it or it is no
   * key file.
   */
  async keys(): Promise<ReadonlyMap<string, KekVersions>> {
    return withKeyFile(this.#path, async (file, stats) => {
      const stamp = stampOf(stats)
      if (stamp === this.#stamp) return this.#keys
      const table = parseKeyTable(this.#path, await file.readFile('utf8'))
      this.#keys = new Map([...table].map(([name, entries]) => [name, keyObjectsOf(entries)]))
      this.#stamp = stamp
      return this.#keys
    })
  }
}

/** The table of a file. Throws like {@link LocalKeyFile.keys}. */
export function readKeyTable(path: string): Promise<LocalKeyTable> {
  return withKeyFile(path, async (file) => parseKeyTable(path, await file.readFile('utf8')))
}

/** The text of a file with these keys. */
export function renderKeyTable(table: LocalKeyTable): string {
  const tree = { v: FORMAT, about: ABOUT, keys: Object.fromEntries(table) }
  return `${JSON.stringify(tree, null, 2)}\n`
}

/** Runs `read` on the open file after a look at its rights, which are those of what is read. */
async function withKeyFile<T>(
  path: string,
  read: (file: FileHandle, stats: BigIntStats) => Promise<T>,
): Promise<T> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw cannotOpen(path, error)
  })
  try {
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile() || stats.size > FILE_BYTES_MAX) throw noKeyFile(path)
    if ((stats.mode & OTHERS) !== 0n) {
      const mode = (stats.mode & 0o777n).toString(8).padStart(4, '0')
      throw new SealError(
        'SEAL_KMS_REFUSED',
        `others may use the keys in ${path} (mode ${mode}); run: chmod 600 ${path}`,
      )
    }
    return await read(file, stats)
  } finally {
    await file.close()
  }
}

/** Differs when the file was replaced or written to. */
function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

function parseKeyTable(path: string, text: string): LocalKeyTable {
  let tree: unknown
  try {
    tree = JSON.parse(text)
  } catch {
    // The reason of the parser stays out: it may quote the text, and with it a key.
    throw noKeyFile(path)
  }
  const { v, keys } = recordOf(tree)
  const named = Object.entries(recordOf(keys))
  if (v !== FORMAT || named.length === 0) throw noKeyFile(path)
  for (const [name, entries] of named) {
    if (!LOCAL_KEY_NAME.test(name) || !areEntries(entries)) throw noKeyFile(path)
  }
  return new Map(named as [string, LocalKeyEntry[]][])
}

function areEntries(entries: unknown): entries is LocalKeyEntry[] {
  if (!Array.isArray(entries) || entries.length === 0) return false
  let before = 0
  for (const entry of entries) {
    const { version, key, createdAt } = recordOf(entry)
    if (!Number.isInteger(version) || typeof createdAt !== 'string') return false
    if ((version as number) <= before || (version as number) > VERSION_MAX) return false
    if (typeof key !== 'string' || !KEY_TEXT.test(key)) return false
    before = version as number
  }
  return true
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function keyObjectsOf(entries: readonly LocalKeyEntry[]): KekVersions {
  return new Map(
    entries.map(({ version, key }) => {
      const bytes = Buffer.from(key, 'base64')
      const kek = createSecretKey(bytes)
      bytes.fill(0)
      return [version, kek]
    }),
  )
}

function noKeyFile(path: string): SealError {
  return new SealError(
    'SEAL_KMS_REFUSED',
    `${path} is no whole key file; bring back a copy, or for a first key make one: sealstream keys local-file FILE --name NAME`,
  )
}

function cannotOpen(path: string, error: unknown): SealError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new SealError(
      'SEAL_KMS_UNAVAILABLE',
      `there is no key file ${path}; bring it back, or for a first key make one: sealstream keys local-file ${path} --name NAME`,
      { retryable: true },
    )
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new SealError('SEAL_KMS_DENIED', `this user may not read the key file ${path}`)
  }
  return new SealError('SEAL_KMS_UNAVAILABLE', `the key file ${path} cannot be read (${code})`, {
    retryable: true,
  })
}

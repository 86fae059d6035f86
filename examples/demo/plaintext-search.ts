import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

const GRAM_BYTES = 4
const NEEDLE_BYTES_MIN = 24
/** Any place of a needle covers a multiple of this, with a whole gram behind it. */
const STEP_BYTES = NEEDLE_BYTES_MIN - GRAM_BYTES + 1
const CHUNK_BYTES = 4 * 1024 * 1024

/** What a search saw. */
export interface SearchResult {
  readonly files: number
  readonly bytes: number
  /** Indexes of the needles that were found, each with the first file. */
  readonly found: ReadonlyMap<number, string>
}

/**
 * Looks for byte strings (24 bytes or more) in all files under some folders, in one pass: every
 * 21st position is looked up among the 4-byte grams at the begins of the needles.
 */
export async function searchFolders(
  folders: readonly string[],
  needles: readonly Buffer[],
): Promise<SearchResult> {
  const search = new GramSearch(needles)
  let files = 0
  let bytes = 0
  for (const folder of folders) {
    for (const file of await filesUnder(folder)) {
      files += 1
      bytes += await search.file(file)
    }
  }
  return { files, bytes, found: search.found }
}

/** Finds needles in files. A needle that stands across two chunks is found as well. */
class GramSearch {
  readonly found = new Map<number, string>()
  readonly #needles: readonly Buffer[]
  readonly #grams = new Map<number, [needle: number, distance: number][]>()
  readonly #overlapBytes: number

  constructor(needles: readonly Buffer[]) {
    this.#needles = needles
    this.#overlapBytes = Math.max(0, ...needles.map((needle) => needle.length - 1))
    for (const [index, needle] of needles.entries()) {
      for (let distance = 0; distance < STEP_BYTES; distance += 1) {
        const gram = needle.readInt32LE(distance)
        const known = this.#grams.get(gram)
        if (known === undefined) this.#grams.set(gram, [[index, distance]])
        else known.push([index, distance])
      }
    }
  }

  async file(path: string): Promise<number> {
    let bytes = 0
    let tail: Buffer = Buffer.alloc(0)
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
        bytes += (chunk as Buffer).length
        const window = Buffer.concat([tail, chunk as Buffer])
        this.#scan(window, path)
        tail = window.subarray(Math.max(0, window.length - this.#overlapBytes))
      }
    } catch (error) {
      // A living service may delete a file while the folder is being read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return bytes
  }

  #scan(window: Buffer, path: string): void {
    const end = window.length - GRAM_BYTES
    for (let at = 0; at <= end; at += STEP_BYTES) {
      const candidates = this.#grams.get(window.readInt32LE(at))
      if (candidates === undefined) continue
      for (const [index, distance] of candidates) {
        const needle = this.#needles[index]
        const begin = at - distance
        if (needle === undefined || begin < 0 || this.found.has(index)) continue
        if (needle.equals(window.subarray(begin, begin + needle.length))) {
          this.found.set(index, path)
        }
      }
    }
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

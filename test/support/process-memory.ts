import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Leak, LeakSearch } from './leak-search.ts'

const CHUNK_BYTES = 16 * 1024 * 1024
/** More than any form of a key is long. */
const OVERLAP_BYTES = 128
const PAGE_BYTES = 4096
/** An entry of the page map, little-endian; the two top bits say present and swapped. */
const ENTRY_BYTES = 8
const TOUCHED = 0b1100_0000

/** What a walk over the memory of a process came by. */
export interface MemorySearch {
  readonly leaks: readonly Leak[]
  /** Bytes that were looked at. */
  readonly bytes: number
}

/**
 * Searches the memory of a running process of Linux through /proc/PID/mem: every mapping that can
 * be read, but for the files that are mapped and cannot be written to. That is what a core dump
 * holds. Pages that were never touched are left out. `file` of a finding names the mapping.
 */
export function searchMemory(pid: number, search: LeakSearch): MemorySearch {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const pageMap = openSync(`/proc/${pid}/pagemap`, 'r')
  const chunk = Buffer.alloc(CHUNK_BYTES + OVERLAP_BYTES)
  const leaks: Leak[] = []
  let bytes = 0
  try {
    for (const mapping of mappingsOf(pid)) {
      for (const { from, to } of touchedRuns(pageMap, mapping)) {
        for (let at = from; at < to; at += CHUNK_BYTES) {
          const wanted = Math.min(chunk.length, to - at)
          const read = readOrNothing(memory, chunk.subarray(0, wanted), at)
          bytes += read
          leaks.push(...search.inBytes(chunk.subarray(0, read), mapping.name))
        }
      }
    }
  } finally {
    closeSync(memory)
    closeSync(pageMap)
    // Or a process that is started from this one and searched next would be found to hold it.
    chunk.fill(0)
  }
  return { leaks, bytes }
}

interface Range {
  readonly from: number
  readonly to: number
}

interface Mapping extends Range {
  readonly name: string
}

/** Runs of pages that are in memory or swapped out (Documentation/admin-guide/mm/pagemap.rst). */
function* touchedRuns(pageMap: number, { from, to }: Range): Generator<Range> {
  const entries = Buffer.alloc(((to - from) / PAGE_BYTES) * ENTRY_BYTES)
  readSync(pageMap, entries, 0, entries.length, (from / PAGE_BYTES) * ENTRY_BYTES)
  let start: number | null = null
  for (let at = from, i = ENTRY_BYTES - 1; at < to; at += PAGE_BYTES, i += ENTRY_BYTES) {
    const isTouched = ((entries[i] as number) & TOUCHED) !== 0
    if (isTouched) start ??= at
    else if (start !== null) {
      yield { from: start, to: at }
      start = null
    }
  }
  if (start !== null) yield { from: start, to }
}

function mappingsOf(pid: number): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')
  return lines.flatMap((line) => {
    const [range = '', permissions = '', , , , ...name] = line.split(/\s+/)
    const [from = 0, to = 0] = range.split('-').map((address) => Number.parseInt(address, 16))
    // The kernel's own pages: they are not memory of the process, and their addresses no safe numbers.
    const isOwn = Number.isSafeInteger(to) && !name[0]?.startsWith('[v')
    const isChangeable = name.length === 0 || permissions[1] === 'w'
    return isOwn && isChangeable && permissions.startsWith('r')
      ? [{ from, to, name: `${name.join(' ') || 'anonymous'} ${permissions}` }]
      : []
  })
}

/** A mapping may be gone by now. */
function readOrNothing(memory: number, into: Buffer, at: number): number {
  try {
    return readSync(memory, into, 0, into.length, at)
  } catch (error) {
    if (['EIO', 'EFAULT', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0
    throw error
  }
}

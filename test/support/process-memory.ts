import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Leak, LeakSearch } from './leak-search.ts'

const CHUNK_BYTES = 16 * 1024 * 1024
/** More than any form of a key is long. */
const OVERLAP_BYTES = 128

/** What a walk over the memory of a process came by. */
export interface MemorySearch {
  readonly leaks: readonly Leak[]
  /** Bytes that were looked at. */
  readonly bytes: number
}

/**
 * Searches the memory of a running process of Linux through /proc/PID/mem: every mapping that can
 * be read, but for the files that are mapped and cannot be written to. That is what a core dump
 * holds. `file` of a finding names the mapping.
 */
export function searchMemory(pid: number, search: LeakSearch): MemorySearch {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const chunk = Buffer.alloc(CHUNK_BYTES + OVERLAP_BYTES)
  const leaks: Leak[] = []
  let bytes = 0
  try {
    for (const { from, to, name } of mappingsOf(pid)) {
      for (let at = from; at < to; at += CHUNK_BYTES) {
        const wanted = Math.min(chunk.length, to - at)
        const read = readOrNothing(memory, chunk.subarray(0, wanted), at)
        bytes += read
        leaks.push(...search.inBytes(chunk.subarray(0, read), name))
      }
    }
  } finally {
    closeSync(memory)
    // Or a process that is started from this one and searched next would be found to hold it.
    chunk.fill(0)
  }
  return { leaks, bytes }
}

interface Mapping {
  readonly from: number
  readonly to: number
  readonly name: string
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

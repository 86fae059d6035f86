import { platform, setPriority } from 'node:os'

/**
 * A third of the processor where another thread wants it too. Lower would be too low: a thread that
 * holds a lock of the allocator and does not come to run holds up those that should go first.
 */
const NICE = 5

/**
 * Lets other threads of the machine go first from now on. Linux counts priorities by the thread, and 0
 * names the one that asks; elsewhere they are the whole process's, which is left as it is.
 */
export function yieldThread(): void {
  if (platform() !== 'linux') return
  try {
    setPriority(0, NICE)
  } catch {
    // Where a sandbox forbids it the thread does its work all the same.
  }
}

import { constants, platform, setPriority } from 'node:os'

/**
 * Lets every other thread of the machine go first from now on. Linux counts priorities by the thread,
 * and 0 names the one that asks; elsewhere they are the whole process's, which is left as it is.
 */
export function yieldThread(): void {
  if (platform() !== 'linux') return
  try {
    setPriority(0, constants.priority.PRIORITY_LOW)
  } catch {
    // Where a sandbox forbids it the thread does its work all the same.
  }
}

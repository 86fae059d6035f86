import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../src/errors.ts'

const CHUNK = Buffer.alloc(256 * 1024)

/** A disk of its own size at a folder, in memory. It can be filled up and freed again. */
export class SmallDisk {
  readonly folder: string
  readonly #ballast: string

  /** Throws where this process may not mount: there is no other way to fill a disk and harm nobody. */
  constructor(folder: string, mebibytes: number) {
    this.folder = folder
    this.#ballast = join(folder, 'ballast')
    mkdirSync(folder, { recursive: true })
    try {
      const options = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`]
      execFileSync('mount', [...options, 'sealstream-small-disk', folder], { stdio: 'pipe' })
    } catch (error) {
      const way = 'run them as root, or in a container with CAP_SYS_ADMIN'
      throw new Error(`tests with full disks mount a tmpfs: ${way} (${messageOf(error)})`)
    }
  }

  /** Leaves no byte free. */
  fill(): void {
    const file = openSync(this.#ballast, 'a')
    try {
      for (;;) writeSync(file, CHUNK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  /** Takes back what `fill` wrote. */
  free(): void {
    unlinkSync(this.#ballast)
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.folder])
  }
}

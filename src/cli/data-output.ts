import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { getSystemErrorMessage } from 'node:util'
import { messageOf, SealError } from '../errors.ts'

/** Where a command writes its data, no faster than it is taken. Close it when done. */
export interface DataOutput {
  /** Resolves when there is room for more. Throws SEAL_OUTPUT_FAILED. */
  write(data: string | Uint8Array): Promise<void>
  /** Everything that was written is in place when this resolves. Throws SEAL_OUTPUT_FAILED. */
  close(): Promise<void>
}

/** Stdout; it stays open. Its failures are an event of the process, and end that. */
export const stdoutOutput: DataOutput = {
  async write(data) {
    if (!process.stdout.write(data)) await once(process.stdout, 'drain')
  },
  async close() {},
}

/** A file, created or emptied. Throws SEAL_OUTPUT_FAILED. */
export async function openOutputFile(path: string): Promise<DataOutput> {
  const attempt = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw outputFailure(path, error)
    }
  }
  const file: FileHandle = await attempt(open(path, 'w'))
  return {
    write: (data) => attempt(file.appendFile(data)),
    close: () => attempt(file.close()),
  }
}

/** A failure to write, which names the output and the system's reason. */
export function outputFailure(name: string, error: unknown): SealError {
  const { errno } = error as NodeJS.ErrnoException
  const reason = errno === undefined ? messageOf(error) : getSystemErrorMessage(errno)
  return new SealError('SEAL_OUTPUT_FAILED', `${name} cannot be written: ${reason}`, {
    cause: error,
  })
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resetStack, type StackEndpoints, startStack } from '../docker/stack/stack.ts'

/** Runs `work` with services of its own in a folder of their own, and takes both away afterwards. */
export async function withBenchStack<T>(
  work: (stack: StackEndpoints, directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'sealstream-bench-'))
  try {
    const stack = await startStack({
      directory,
      ports: 'free',
      report: ({ part, step }) => process.stderr.write(`${part} ${step}\n`),
    })
    return await work(stack, directory)
  } finally {
    await resetStack(directory)
    rmSync(directory, { recursive: true, force: true })
  }
}

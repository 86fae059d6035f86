import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { resetStack, type StackEndpoints, startStack } from '../../docker/stack/stack.ts'

/** Services for one test file alone, which may kill them. */
export interface OwnStack {
  /** Where they answer. Only from the first test on. */
  readonly endpoints: StackEndpoints
  /** Starts again, on its old port, what was killed. */
  revive(): Promise<void>
}

/** Starts services before the tests of the file, and takes them and their data away afterwards. */
export function ownStack(name: string): OwnStack {
  const directory = mkdtempSync(join(tmpdir(), `sealstream-${name}-`))
  let endpoints: StackEndpoints
  const start = async () => {
    endpoints = await startStack({ directory, ports: 'free' })
  }
  beforeAll(start)
  afterAll(async () => {
    await resetStack(directory)
    rmSync(directory, { recursive: true })
  })
  return {
    get endpoints() {
      return endpoints
    },
    revive: start,
  }
}

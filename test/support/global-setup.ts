import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type StackEndpoints, startStack, stopStack } from '../../docker/stack/stack.ts'
import { eventLine, paintFor } from '../../docker/stack/stack-terminal.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the services of this test run answer. */
    stack: StackEndpoints
  }
}

/** Starts the services of one test run, installing them first where they are missing. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'sealstream-test-'))
  const endpoints = await startStack({
    directory,
    ports: 'free',
    report: (event) => process.stderr.write(`${eventLine(event, paintFor(process.stderr))}\n`),
  })
  project.provide('stack', endpoints)
  return async () => {
    await stopStack(directory)
    rmSync(directory, { recursive: true, force: true })
  }
}

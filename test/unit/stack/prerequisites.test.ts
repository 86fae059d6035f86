import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { installParts } from '../../../docker/stack/install.ts'
import { missingTools } from '../../../docker/stack/prerequisites.ts'
import { startStack } from '../../../docker/stack/stack.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealstream-tools-'))
  vi.stubEnv('PATH', folder)
  vi.stubEnv('JAVA_HOME', '')
  vi.stubEnv('SEALSTREAM_PARTS', join(folder, 'parts'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

function program(name: string, output: string): void {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\necho '${output}' >&2\n`)
  chmodSync(path, 0o755)
}

describe('prerequisites of the stack', () => {
  it('names every missing program and what to install, in one error', async () => {
    await expect(installParts(() => {})).rejects.toMatchObject({
      code: 'STACK_TOOL_MISSING',
      message:
        'missing on this machine: Java 17 to 23, Maven 3, Go 1.21 or newer, Python 3.10 or newer with venv',
      tail: [
        expect.stringContaining('openjdk-17-jdk-headless maven golang-go python3 python3-venv'),
        expect.stringContaining('brew install openjdk@17'),
        expect.stringContaining('docker/compose.yaml'),
      ],
    })
  })

  it('says the same from start when no Docker engine answers either', async () => {
    const start = startStack({ directory: join(folder, 'stack'), ports: 'free' })
    await expect(start).rejects.toMatchObject({ code: 'STACK_TOOL_MISSING' })
  })

  it('takes a program that is too old or too new for missing', async () => {
    program('java', 'openjdk version "11.0.2" 2019-01-15')
    program('go', 'go version go1.20.14 linux/amd64')
    await expect(missingTools(['java', 'go'])).resolves.toEqual(['java', 'go'])
    program('java', 'openjdk version "24.0.1" 2025-04-15')
    program('go', 'go version go1.26.8 linux/amd64')
    await expect(missingTools(['java', 'go'])).resolves.toEqual(['java'])
    program('java', 'openjdk version "17.0.15" 2025-04-15')
    await expect(missingTools(['java', 'go'])).resolves.toEqual([])
  })
})

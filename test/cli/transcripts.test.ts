import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runTranscript } from './transcript.ts'

const FOLDER = new URL('./transcripts/', import.meta.url)
const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TIMEOUT_MS = 60_000

describe('the command line does what its transcripts say', () => {
  it.each(readdirSync(FOLDER).sort())('%s', { timeout: TIMEOUT_MS }, async (name) => {
    const path = fileURLToPath(new URL(name, FOLDER))
    await expect(runTranscript(readFileSync(path, 'utf8'))).toMatchFileSnapshot(path)
  })

  it('and ends quietly when the reader of its output leaves', { timeout: TIMEOUT_MS }, async () => {
    const child = spawn(process.execPath, [CLI, 'config', 'example'], {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    const exitCode = await new Promise((resolve) => child.once('close', resolve))
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })
})

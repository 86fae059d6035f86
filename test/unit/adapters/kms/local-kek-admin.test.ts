import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalKekAdmin } from '../../../../src/adapters/kms/local-kek-admin.ts'
import { changeKeyFile } from '../../../../src/adapters/kms/local-key-writer.ts'
import { LocalKms } from '../../../../src/adapters/kms/local-kms.ts'

const CONTEXT = { app: 'test' }
let folder: string
let keyFile: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealstream-local-admin-'))
  keyFile = join(folder, 'keys.json')
  for (const name of ['old', 'new']) {
    await changeKeyFile({ path: keyFile, name, rotate: false, nowMs: 0 })
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('the end of a local key', () => {
  it('is for good, for one key alone, and may be repeated', async () => {
    const kms = new LocalKms({ keyFile })
    const admin = new LocalKekAdmin({ keyFile })
    const made = await kms.generateDataKey('local/old', CONTEXT)
    expect(await admin.end('local/old', null)).toMatchObject({ kind: 'destroyed' })
    await admin.end('local/old', null)
    const opened = kms.unwrap('local/old', made.wrapped, CONTEXT)
    await expect(opened).rejects.toMatchObject({ code: 'SEAL_KEK_DESTROYED' })
    await kms.generateDataKey('local/new', CONTEXT)
    const before = readFileSync(keyFile, 'utf8')
    await expect(admin.end('local/new', null)).rejects.toMatchObject({ code: 'SEAL_INPUT_INVALID' })
    expect(readFileSync(keyFile, 'utf8')).toBe(before)
  })

  it('of one version leaves the others, and never takes the one that wraps', async () => {
    const kms = new LocalKms({ keyFile })
    const admin = new LocalKekAdmin({ keyFile })
    const first = await kms.generateDataKey('local/old', CONTEXT)
    await expect(admin.end('local/old', '1')).rejects.toThrow('the one that wraps')
    await changeKeyFile({ path: keyFile, name: 'old', rotate: true, nowMs: 0 })
    const second = await kms.generateDataKey('local/old', CONTEXT)
    await admin.end('local/old', '1')
    const opened = kms.unwrap('local/old', first.wrapped, CONTEXT)
    await expect(opened).rejects.toMatchObject({ code: 'SEAL_KEK_DESTROYED' })
    await kms.unwrap('local/old', second.wrapped, CONTEXT)
    await expect(admin.end('local/old', 'x')).rejects.toMatchObject({ code: 'SEAL_INPUT_INVALID' })
  })
})

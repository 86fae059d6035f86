import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openOutputFile } from '../../../src/cli/data-output.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealstream-data-output-'))

afterAll(() => rmSync(folder, { recursive: true }))

describe('an output file', () => {
  it('holds what was written and nothing of what was there before', async () => {
    const path = join(folder, 'data')
    writeFileSync(path, 'something longer than what comes')
    const output = await openOutputFile(path)
    await output.write('one\n')
    await output.write(Buffer.from('two\n'))
    await output.close()
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
  })

  it('that cannot be made is refused by its name', async () => {
    await expect(openOutputFile(join(folder, 'absent', 'data'))).rejects.toMatchObject({
      code: 'SEAL_OUTPUT_FAILED',
      message: `${folder}/absent/data cannot be written: no such file or directory`,
    })
  })

  it.runIf(existsSync('/dev/full'))('tells of a full disk with the write', async () => {
    const output = await openOutputFile('/dev/full')
    await expect(output.write('x')).rejects.toMatchObject({
      code: 'SEAL_OUTPUT_FAILED',
      message: '/dev/full cannot be written: no space left on device',
    })
    await output.close()
  })
})

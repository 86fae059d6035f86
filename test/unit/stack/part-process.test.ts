import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endPart, launchPart, logPathOf, runningPart } from '../../../docker/stack/part-process.ts'
import { identify } from '../../../docker/stack/process-identity.ts'
import { systemClock } from '../../../src/clock.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealstream-part-'))
})

afterEach(async () => {
  await endPart(directory, 's3', 100)
  rmSync(directory, { recursive: true })
})

function launch(script: string) {
  const plan = { command: process.execPath, args: ['-e', script], cwd: directory, env: {} }
  return launchPart(directory, 's3', plan)
}

async function printed(pattern: RegExp): Promise<string> {
  for (;;) {
    const found = pattern.exec(readFileSync(logPathOf(directory, 's3'), 'utf8'))?.[1]
    if (found !== undefined) return found
    await systemClock.sleep(20)
  }
}

describe('the process of a part', () => {
  it('is found again by its record and ended politely', async () => {
    const { pid } = await launch(
      `process.on('SIGTERM', () => { console.log('bye <now>'); process.exit() }); setInterval(() => {}, 1e6); console.log('up <1>')`,
    )
    await printed(/up <(\d)>/)
    expect((await runningPart(directory, 's3'))?.pid).toBe(pid)
    expect(await endPart(directory, 's3', 10_000)).toBe(true)
    expect(await printed(/bye <(\w+)>/)).toBe('now')
    expect(await identify(pid)).toBeNull()
  })

  it('is killed with its children when it does not end by itself', async () => {
    const { pid } = await launch(
      `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6);
       const child = require('node:child_process').spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('child <' + process.pid + '>')"], { stdio: 'inherit' })`,
    )
    const childPid = Number(await printed(/child <(\d+)>/))
    await endPart(directory, 's3', 100)
    expect(await identify(pid)).toBeNull()
    await expect.poll(() => identify(childPid)).toBeNull()
  })

  it('is not taken for a stranger that was given the same number', async () => {
    const record = await launch('setInterval(() => {}, 1e6)')
    const path = join(directory, 'run', 's3.json')
    writeFileSync(path, JSON.stringify({ ...record, startMark: `${record.startMark}0` }))
    expect(await runningPart(directory, 's3')).toBeNull()
    expect(await endPart(directory, 's3', 100)).toBe(false)
    expect((await identify(record.pid))?.startMark).toBe(record.startMark)
    writeFileSync(path, JSON.stringify(record))
  })

  it('says why when the program is not there', async () => {
    const plan = { command: join(directory, 'absent'), args: [], cwd: directory, env: {} }
    await expect(launchPart(directory, 's3', plan)).rejects.toMatchObject({
      code: 'STACK_START_FAILED',
      message: expect.stringContaining('s3 did not start'),
    })
  })
})

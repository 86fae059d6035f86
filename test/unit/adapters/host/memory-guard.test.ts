import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refuseDumpFlags } from '../../../../src/adapters/host/dump-flags.ts'
import { forbidCoreDumps } from '../../../../src/adapters/host/process-limits.ts'
import { MINIMAL } from '../../config/sample.ts'

const GUARDED = fileURLToPath(new URL('./guarded-process.ts', import.meta.url))
const CLI = fileURLToPath(new URL('../../../../src/cli/main.ts', import.meta.url))
const run = promisify(execFile)
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealstream-guard-'))
})

afterAll(() => rm(folder, { recursive: true }))

const REFUSED = [
  ...['--inspect', '--inspect=0', '--inspect-brk', '--inspect-wait', '--inspect-port=0'],
  ...['--debug-port=0', '--heapsnapshot-signal=SIGUSR2', '--heapsnapshot-near-heap-limit=1'],
  ...['--heap-prof', '--heap-prof-dir=/tmp', '--report-on-signal', '--report-uncaught-exception'],
  ...['--report-on-fatalerror', '--heapsnapshot_signal=SIGUSR2'],
  ...['--experimental-config-file=node.json', '--experimental-default-config-file'],
]
const HARMLESS = ['--max-old-space-size=512', '--enable-source-maps', '--disable-sigusr1', '']

describe('flags that lay the memory open', () => {
  it.each(REFUSED)('%s is refused on the line and in NODE_OPTIONS, by its name', (flag) => {
    const name = (flag.split('=')[0] as string).replaceAll('_', '-')
    const wayOut = { code: 'SEAL_CONFIG_INVALID', message: expect.stringContaining(name) }
    const onLine = { execArgv: ['--no-warnings', flag], nodeOptions: undefined }
    expect(() => refuseDumpFlags(onLine)).toThrow(expect.objectContaining(wayOut))
    for (const nodeOptions of [flag, `--no-warnings  ${flag}`, `"${flag}"`]) {
      const inOptions = { execArgv: [], nodeOptions }
      expect(() => refuseDumpFlags(inOptions)).toThrow(expect.objectContaining(wayOut))
      expect(() => refuseDumpFlags(inOptions)).toThrow('NODE_OPTIONS')
      expect(() => refuseDumpFlags(inOptions)).toThrow('set process.memoryDumps to allow')
    }
  })

  it('are told from harmless ones', () => {
    refuseDumpFlags({ execArgv: HARMLESS, nodeOptions: HARMLESS.join(' ') })
    refuseDumpFlags({ execArgv: [], nodeOptions: undefined })
  })

  it('are seen by what they did, where no flag shows', () => {
    process.report.reportOnSignal = true
    try {
      expect(() => refuseDumpFlags({ execArgv: [], nodeOptions: undefined })).toThrow('reports')
    } finally {
      process.report.reportOnSignal = false
    }
  })

  it.each([['run'], ['read', 'orders'], ['inspect', 'segment.seal', '--verify']])(
    'end `sealstream %s` before it connects to anything',
    async (...command) => {
      const config = join(folder, 'config.yaml')
      writeFileSync(config, MINIMAL)
      const flags = ['--inspect=127.0.0.1:0', CLI, ...command, '--config', config]
      const failure = await run(process.execPath, flags).catch((error) => error)
      expect(failure.code).toBe(2)
      expect(failure.stderr).toContain('node is run with --inspect')
      expect(failure.stderr).toContain('process.memoryDumps')
    },
  )
})

describe('a process', () => {
  const look = async (mode: string, ...flags: string[]) => {
    const { stdout } = await run(process.execPath, [...flags, GUARDED, mode])
    return JSON.parse(stdout)
  }

  it('that refuses dumps has no core, is not dumpable and opens no debugger on SIGUSR1', async () => {
    expect(await look('refuse')).toEqual({
      report: { level: 'info', message: 'memory dumps and debuggers are refused' },
      ...{ isDebugged: false, dumpable: 0, coreLimits: ['0', '0'] },
    })
  })

  it('that allows them is as it was, and says so', async () => {
    expect(await look('allow', '--inspect-port=127.0.0.1:0')).toMatchObject({
      report: { level: 'warn', message: expect.stringContaining('sees its keys') },
      ...{ isDebugged: true, dumpable: 1 },
    })
  })

  it('says why where it cannot be done', async () => {
    expect(await forbidCoreDumps('darwin')).toBe('darwin is not Linux')
    const without = () => Promise.reject(new Error('no koffi here'))
    expect(await forbidCoreDumps('linux', without)).toBe('no koffi here')
  })
})

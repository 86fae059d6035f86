import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { registrations } from '../../src/cli/main.ts'
import { runCommandLine } from '../../src/cli/program.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { HttpBucket } from '../support/http-bucket.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { message } from '../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../support/sealed-segment.ts'
import { recordTerminal } from '../unit/cli/terminal-sample.ts'

const CLI = join(import.meta.dirname, '../../src/cli/main.ts')
const DEK = '2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11'
const STEERING = 'a\u001b[2J\u009bb\u202ec'
const SHOWN = 'a\\u{1b}[2J\\u{9b}b\\u{202e}c'
/** More frames than a pipe holds lines of. */
const FRAMES = 4_000
const SLOW_MS_MAX = 60_000
const folder = mkdtempSync(join(tmpdir(), 'sealstream-hostile-'))
const config = join(folder, 'sealstream.yaml')
const store = new MemoryObjectStore()
const bucket = new HttpBucket(store)
let segment: SealedSegment

beforeAll(async () => {
  const many = Array.from({ length: FRAMES }, (_, i) => message({ offset: i, value: null }))
  segment = await sealSegment(await makeDek(new FakeKms(KEK_ID)), store, many)
  writeFileSync(
    config,
    stringify({
      kafka: { brokers: ['127.0.0.1:1'], topics: ['orders'] },
      s3: await bucket.start(),
      cassandra: { contactPoints: ['127.0.0.1:1'] },
      kms: { keyId: KEK_ID },
    }),
  )
}, SLOW_MS_MAX)

afterAll(async () => {
  await bucket.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a command line within this process, where nothing listens on any service. */
async function run(...args: string[]) {
  const { terminal, written } = recordTerminal({ SEALSTREAM_CONFIG: config })
  const exitCode = await runCommandLine(args, registrations, terminal)
  return { exitCode, ...written }
}

describe('a command line', () => {
  it.each<[string, string[], string]>([
    ['no arguments', [], 'Usage: sealstream'],
    ['an unknown command', ['sael'], "unknown command 'sael'"],
    ['an unknown flag', ['config', 'check', '--jsno'], "unknown option '--jsno'"],
    ['a command that is only a group', ['keys'], 'Usage: sealstream keys'],
    ['an argument too many', ['config', 'check', 'x'], 'too many arguments'],
    ['an argument too few', ['keys', 'show'], "missing required argument 'dek'"],
    ['a flag without its value', ['impact', '--dek'], "option '--dek <id>' argument missing"],
    ['a flag twice', ['impact', '--dek', DEK, '--dek', DEK], "option '--dek <id>' is given twice"],
    ['a flag twice, by both its names', ['run', '-c', 'a', '--config', 'b'], 'is given twice'],
    ['a switch twice', ['config', 'check', '--json', '--json'], "option '--json' is given twice"],
    ['a DEK that is no id', ['impact', '--dek', 'orders'], 'the id of a data key is a UUID'],
    ['a DEK that is not hex', ['keys', 'show', DEK.replace('2', 'g')], 'is a UUID'],
    ['a DEK of nothing', ['impact', '--dek', ''], 'is a UUID'],
    ['a wildcard for a DEK', ['keys', 'retire', '*', '--reason', 'x'], 'is a UUID'],
    ['a KEK of nothing', ['impact', '--kek', ' '], '--kek is empty'],
    ['nothing to ask about', ['impact'], 'say what is asked about'],
    ['two keys', ['impact', '--dek', DEK, '--kek', 'k'], 'name one key'],
    ['no reason', ['keys', 'rotate-now'], "required option '--reason <text>' not specified"],
    ['a blank reason', ['keys', 'rotate-now', '--reason', ' '], 'a text of 1 to 500'],
    ['a reason of 501 letters', ['keys', 'rotate-now', '--reason', 'x'.repeat(501)], 'a text of 1'],
    [
      'a blank domain',
      ['keys', 'rotate-now', '--reason', 'x', '--domain', ''],
      '--domain is empty',
    ],
    ['a count of 0', ['read', 'orders', '--max', '0'], 'a whole number from 1 on'],
    ['a count beyond 2^53', ['read', 'orders', '--max', '9007199254740993'], 'a whole number'],
    [
      'a time without end',
      ['keys', 'rotate-now', '--reason', 'x', '--timeout', 'Infinity'],
      'a number of seconds',
    ],
    [
      'an object elsewhere',
      ['inspect', 'sealed/../../other/x.seal'],
      'is not the key of a segment',
    ],
    ['an object that is none', ['inspect', '/etc/passwd'], 'is not the key of a segment'],
    ['no object', ['inspect', ''], 'is not the key of a segment'],
    ['a reference that is none', ['read', '--reference', '{"v":2}'], 'SEAL_REFERENCE_INVALID'],
    ['a file that is not there', ['run', '--config', join(folder, 'none')], 'no such file'],
  ])('with %s is refused on stderr', async (what, args, reason) => {
    const { exitCode, out, err } = await run(...args)
    expect(err).toContain(reason)
    expect({ exitCode, out }).toEqual({ exitCode: what.startsWith('a reference') ? 1 : 2, out: '' })
  })

  it.each<[string, string[]]>([
    ['a command', [STEERING]],
    ['an option', [`--${STEERING}`]],
    ['the value of an option', ['keys', 'rotate-now', '--reason', 'x', '--timeout', STEERING]],
    ['the id of a key', ['keys', 'show', STEERING]],
    ['the name of a file', ['config', 'check', '--config', STEERING]],
    ['the key of an object', ['inspect', STEERING]],
  ])('does not steer the terminal by %s', async (_what, args) => {
    const { exitCode, err } = await run(...args)
    expect(exitCode).toBe(2)
    expect(err).toContain(SHOWN)
    expect(err).not.toMatch(/[^\P{C}\n]/u)
  })

  it('does not steer the terminal by the name of a file that it takes', async () => {
    const file = join(folder, STEERING)
    const { exitCode, out, err } = await run('keys', 'local-file', file)
    expect(exitCode).toBe(0)
    for (const text of [out, err]) {
      expect(text).toContain(SHOWN)
      expect(text).not.toMatch(/[^\P{C}\n]/u)
    }
  })
})

/** Runs a real process; `onStdout` gets its stdout as soon as there is something in it. */
function spawned(args: readonly string[], stdout: number | 'pipe', onStdout = (_: Readable) => {}) {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {},
    stdio: ['ignore', stdout, 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdout?.once('readable', () => onStdout(child.stdout as Readable))
  return new Promise<{ code: number | null; stderr: string }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stderr }))
  })
}

/** Runs a command line of a shell, in which `$CLI` is the program. */
function inShell(line: string) {
  const env = { NODE: process.execPath, CLI, CONFIG: config }
  const child = spawn('sh', ['-c', line], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const written = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    written.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    written.err += chunk
  })
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...written })),
  )
}

describe('the streams of a process', { timeout: SLOW_MS_MAX }, () => {
  const frames = () => ['inspect', segment.objectKey, '--frames', '--config', config]

  it('list to their end for a reader that stays', async () => {
    const { code, out, err } = await inShell(
      `"$NODE" "$CLI" inspect ${segment.objectKey} --frames -c "$CONFIG" | wc -l`,
    )
    expect({ code, lines: Number(out) }).toEqual({ code: 0, lines: FRAMES })
    expect(err).toContain('frames')
  })

  it('end quietly when the reader of a list leaves in the middle', async () => {
    const { code, stderr } = await spawned(frames(), 'pipe', (stdout) => stdout.destroy())
    expect(code).toBe(0)
    expect(stderr).not.toMatch(/EPIPE|sealstream:/)
  })

  it('end quietly behind head', async () => {
    const { code, out, err } = await inShell(
      `"$NODE" "$CLI" inspect ${segment.objectKey} --frames -c "$CONFIG" | head -2`,
    )
    expect({ code, lines: out.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 2 })
    expect(err).not.toMatch(/EPIPE|sealstream:/)
  })

  it.runIf(existsSync('/dev/full')).each<[string, () => string[]]>([
    ['help', () => ['--help']],
    ['an example', () => ['config', 'example']],
    ['JSON', () => ['config', 'check', '--json', '--config', config]],
    ['a list', frames],
  ])('say that the disk is full: %s', async (_what, args) => {
    const full = openSync('/dev/full', 'w')
    const { code, stderr } = await spawned(args(), full)
    closeSync(full)
    expect(code).toBe(1)
    expect(stderr).toMatch(/stdout cannot be written: no space left on device/)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('may be closed: stdin', async () => {
    const { code, out } = await inShell('"$NODE" "$CLI" config check -c "$CONFIG" <&-')
    expect(code).toBe(0)
    expect(out).toContain('is fine')
  })

  it('may be closed: stdout and stderr, and the exit code still tells', async () => {
    expect((await inShell('"$NODE" "$CLI" config example >&-')).code).toBe(0)
    expect((await inShell('"$NODE" "$CLI" nonsense 2>&-')).code).toBe(2)
    expect((await inShell('"$NODE" "$CLI" nonsense >&- 2>&- <&-')).code).toBe(2)
  })
})

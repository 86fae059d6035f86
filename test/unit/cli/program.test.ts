import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { EXIT_CODES, exitCodeOf } from '../../../src/cli/exit-codes.ts'
import { registrations } from '../../../src/cli/main.ts'
import { refuseNode } from '../../../src/cli/node-version.ts'
import { buildProgram, type Registration, runCommandLine } from '../../../src/cli/program.ts'
import { SealError } from '../../../src/errors.ts'
import { recordTerminal } from './terminal-sample.ts'

/** A command that ends as it is told. */
function failing(end: () => void): Registration {
  return (program) => {
    program.command('work').option('--json').action(end)
  }
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)]
}

describe('the command line', () => {
  it('has help with examples on every command', async () => {
    const commands = everyCommand(buildProgram(registrations, recordTerminal().terminal))
    for (const command of commands) {
      const names = []
      for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name())
      const { terminal, written } = recordTerminal()
      expect(await runCommandLine([...names, '--help'], registrations, terminal)).toBe(0)
      expect(written.out, names.join(' ')).toMatch(/\nExamples:\n {2}\$ sealstream /)
    }
  })

  it.each([[[]], [['nothing']], [['--nothing']], [['config']], [['config', 'check', '--nothing']]])(
    'answers %j with its usage on stderr',
    async (args: string[]) => {
      const { terminal, written } = recordTerminal()
      expect(await runCommandLine(args, registrations, terminal)).toBe(EXIT_CODES.refused)
      expect(written.err).toContain('Usage: sealstream')
      expect(written.out).toBe('')
    },
  )

  it('ends with the exit code that the command set', async () => {
    const { terminal } = recordTerminal()
    const register = failing(() => {
      terminal.exitCode = EXIT_CODES.terminated
    })
    expect(await runCommandLine(['work'], [register], terminal)).toBe(143)
  })
})

describe('a failure', () => {
  const sealError = new SealError('SEAL_KMS_UNAVAILABLE', 'the KMS\nis away', { retryable: true })
  const end = async (
    error: unknown,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ) => {
    const { terminal, written } = recordTerminal(env)
    const register = failing(() => {
      throw error
    })
    const exitCode = await runCommandLine(['work', ...args], [register], terminal)
    return { exitCode, ...written }
  }

  it('that is known is one line with its code', async () => {
    expect(await end(sealError)).toEqual({
      exitCode: 1,
      out: '',
      err: 'sealstream: the KMS is away [SEAL_KMS_UNAVAILABLE]\n',
    })
  })

  it('is one JSON object with --json', async () => {
    const { err } = await end(sealError, ['--json'])
    expect(JSON.parse(err)).toEqual({
      code: 'SEAL_KMS_UNAVAILABLE',
      message: 'the KMS is away',
      retryable: true,
    })
    expect(JSON.parse((await end(new Error('odd'), ['--json'])).err)).toMatchObject({ code: null })
  })

  it('that is unexpected is one line that says how to see the stack', async () => {
    expect((await end(new TypeError('odd'))).err).toBe(
      'sealstream: odd (set SEALSTREAM_LOG_LEVEL=debug for the stack)\n',
    )
    const { err } = await end(new TypeError('odd'), [], { SEALSTREAM_LOG_LEVEL: 'debug' })
    expect(err).toMatch(/^sealstream: odd\nTypeError: odd\n {4}at /)
  })

  it('does not steer the terminal with words of others', async () => {
    const hostile = new SealError('SEAL_MALFORMED', 'domain a\u001b[2J\u009bb\u202ec')
    expect((await end(hostile)).err).toBe(
      'sealstream: domain a\\u{1b}[2J\\u{9b}b\\u{202e}c [SEAL_MALFORMED]\n',
    )
    const { err } = await end(hostile, ['--json'])
    expect(err).toContain('a\\u001b[2J\\u009bb')
    expect(JSON.parse(err)).toMatchObject({ message: hostile.message })
    const odd = new Error('odd \u001b[2J')
    const debug = await end(odd, [], { SEALSTREAM_LOG_LEVEL: 'debug' })
    expect(debug.err).not.toContain('\u001b')
  })

  it.each([
    ['SEAL_CONFIG_INVALID', 2],
    ['SEAL_INPUT_INVALID', 2],
    ['SEAL_KEY_UNKNOWN', 3],
    ['SEAL_PORT_TAKEN', 1],
    ['SEAL_OUTPUT_FAILED', 1],
  ] as const)('%s ends with %d', (code, exitCode) => {
    expect(exitCodeOf(new SealError(code, 'x'))).toBe(exitCode)
  })
})

describe('read', () => {
  it('refuses --from-end without --follow, which would never end', async () => {
    const { terminal, written } = recordTerminal()
    const args = ['read', 'orders', '--from-end']
    expect(await runCommandLine(args, registrations, terminal)).toBe(EXIT_CODES.refused)
    expect(written.err).toBe('sealstream: --from-end goes with --follow [SEAL_INPUT_INVALID]\n')
  })
})

describe('Node', () => {
  it.each(['18.0.0', '20.19.5', '22.17.9'])('%s is refused in one line', (version) => {
    expect(refuseNode(version)).toMatch(/^sealstream: needs Node 22\.18\.0 or newer.*\n$/)
  })

  it.each(['22.18.0', '22.20.1', '24.0.0', '26.1.0'])('%s is accepted', (version) => {
    expect(refuseNode(version)).toBeNull()
  })
})

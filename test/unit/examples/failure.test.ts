import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { StackError } from '../../../docker/stack/stack-error.ts'
import { DemoError, DemoRefused } from '../../../examples/demo/demo-error.ts'
import { failureLines } from '../../../examples/demo/failure-lines.ts'
import { lastReason } from '../../../examples/demo/last-reason.ts'
import { SealError } from '../../../src/errors.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'

const logs = mkdtempSync(join(tmpdir(), 'sealstream-demo-logs-'))
writeFileSync(join(logs, 'seal-mails.log'), '')

afterAll(() => rmSync(logs, { recursive: true }))

describe('a failure of the demo', () => {
  test('names the log that says more', () => {
    expect(failureLines(new DemoError('it ended', 'seal-mails.log'), logs)).toEqual([
      'error: it ended',
      `log: ${join(logs, 'seal-mails.log')}`,
    ])
  })

  test('names no log that is not there', () => {
    expect(failureLines(new DemoError('it ended', 'other.log'), logs)).toEqual(['error: it ended'])
  })

  test('shows the tail of a service that did not start', () => {
    const error = new StackError('STACK_START_FAILED', 'kafka ended', ['out of memory'])
    expect(failureLines(error, logs).slice(0, 2)).toEqual(['error: kafka ended', '  out of memory'])
  })

  test.each([
    new DemoRefused('a kept demo is running'),
    new SealError('SEAL_INPUT_INVALID', 'input line 3: is not JSON'),
    new StackError('STACK_BUSY', 'process 7 holds the lock'),
  ])('is one line without a log where no log knows more: %s', (error) => {
    expect(failureLines(error, logs)).toEqual([`error: ${error.message}`])
  })
})

describe('the last reason in the log of an encryptor', () => {
  function logOf(write: (logger: ReturnType<typeof createLogger>) => void): string {
    const lines: string[] = []
    write(createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } }))
    return lines.join('')
  }

  test('is that of the last line of the real logger that warns or worse', () => {
    const log = logOf((logger) => {
      logger.error({ reason: 'the first' }, 'stopped')
      logger.warn({ reason: 'the second' }, 'waiting')
      logger.info('going on')
    })
    expect(lastReason(log)).toBe('the second')
    expect(lastReason(logOf((logger) => logger.fatal('no reason')))).toBe('no reason')
  })

  test('is the sentence that the command line ended with', () => {
    const log = logOf((logger) => logger.error({ reason: 'before' }, 'stopped'))
    expect(lastReason(`${log}sealstream: no topic [SEAL_TOPIC_MISSING]\n`)).toBe(
      'no topic [SEAL_TOPIC_MISSING]',
    )
  })

  test('is empty when nothing failed', () => {
    expect(lastReason(logOf((logger) => logger.info('fine')))).toBe('')
    expect(lastReason('')).toBe('')
  })
})

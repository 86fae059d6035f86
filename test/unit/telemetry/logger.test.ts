import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { captureLogger } from './captured-logger.ts'

describe('a log line', () => {
  it('names the product, the level and the time', () => {
    const { logger, lines } = captureLogger()
    logger.info({ lane: 3 }, 'hello')
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        service: 'sealstream',
        lane: 3,
        msg: 'hello',
      },
    ])
  })

  it('below the level is not written', () => {
    const { logger, lines } = captureLogger()
    logger.debug('quiet')
    expect(lines()).toEqual([])
  })

  it.each(['password', 'secretAccessKey', 'plaintext', 'authorization'])(
    'never shows what stands under %s, at any depth in use',
    (key) => {
      const { logger, lines } = captureLogger()
      logger.info({ [key]: 'canary', a: { [key]: 'canary', b: { [key]: 'canary' } } }, 'x')
      expect(JSON.stringify(lines())).not.toContain('canary')
      expect(lines()[0]).toHaveProperty(key, '[redacted]')
    },
  )

  it('has the code of an error, and nothing that a library hung on it', () => {
    const { logger, lines } = captureLogger()
    const cause = Object.assign(new Error('refused'), { request: { signature: 'canary' } })
    logger.error({ err: new SealError('SEAL_KMS_REFUSED', 'no right', { cause }) }, 'failed')
    logger.error({ err: cause }, 'failed')
    expect(lines()[0]).toMatchObject({
      err: { code: 'SEAL_KMS_REFUSED', message: 'no right', retryable: false, cause: 'refused' },
    })
    expect(JSON.stringify(lines())).not.toContain('canary')
  })
})

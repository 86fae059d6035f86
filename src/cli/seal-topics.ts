import { type AdminServer, startAdminServer } from '../admin/server.ts'
import { systemClock } from '../clock.ts'
import { composeEncryptor, type Encryptor } from '../compose/encryptor.ts'
import type { Environment } from '../config/environment.ts'
import type { Config } from '../config/schema.ts'
import { messageOf, SealError } from '../errors.ts'
import { createHealth, type Health } from '../telemetry/health.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { collectProcessMetrics, createMetrics } from '../telemetry/metrics.ts'
import { TelemetryObserver } from '../telemetry/telemetry-observer.ts'
import { guardKeys } from './guard-keys.ts'
import { type StopSignal, stopSignal } from './stop-signal.ts'

/** What was read is given this long to get published; orchestrators usually kill after 30 s. */
const DRAIN_MS = 25_000

/**
 * Runs the encryptor until a signal asks it to stop. Logs go to stderr; what the configuration was
 * warned of stands there and in what the probes answer. Throws what is wrong at the start, and the
 * failure that ended the road.
 */
export async function sealTopics(
  config: Config,
  warnings: readonly string[],
  env: Environment,
): Promise<void> {
  const logger = createLogger({ level: config.log.level })
  for (const warning of warnings) logger.warn(warning)
  const { level, message } = await guardKeys(config, env)
  logger[level](message)
  const health = createHealth(warnings)
  const metrics = createMetrics()
  collectProcessMetrics(metrics)
  const observer = new TelemetryObserver({ metrics, logger, health, clock: systemClock })
  const stop = stopSignal()
  let server: AdminServer | null = null
  try {
    if (config.http.enabled) {
      server = await startAdminServer({ ...config.http, health, metrics })
      const url = `http://${server.host}:${server.port}`
      logger.info({ url }, 'metrics and probes are served')
    }
    const encryptor = await composeEncryptor(config, observer, (level, message) =>
      logger.debug({ level, library: 'kafkajs' }, message),
    )
    try {
      await serve(encryptor, config, { logger, health, stop })
    } finally {
      await encryptor.close()
    }
  } finally {
    await server?.close()
    stop.release()
  }
}

interface Surroundings {
  readonly logger: Logger
  readonly health: Health
  readonly stop: StopSignal
}

async function serve(
  encryptor: Encryptor,
  config: Config,
  { logger, health, stop }: Surroundings,
): Promise<void> {
  const { topics, groupId } = config.kafka
  const { instanceId, memory, mappingRisk } = encryptor
  if (mappingRisk !== null) logger.warn(mappingRisk)
  if (memory.untuned !== null) {
    logger.warn(
      `the allocator keeps freed memory (${memory.untuned}): the process may come near memory.rssBytesMax sooner`,
    )
  }
  try {
    await encryptor.start()
    health.start()
    const { engine, reason } = encryptor.cipher
    logger.info(
      {
        ...{ instanceId, topics, groupId, cipher: engine.name, cipherReason: reason },
        rssBytesMax: memory.rssBytesMax,
      },
      'sealing',
    )
    await Promise.race([encryptor.finished, stop.requested])
  } catch (error) {
    health.fail(messageOf(error))
    await encryptor.stop(0)
    throw error
  }
  health.stop()
  logger.info('stopping: what was read is being published')
  if (await encryptor.stop(DRAIN_MS)) {
    logger.info('stopped')
    return
  }
  throw new SealError(
    'SEAL_STOPPED',
    'stopped before everything that was read could be published; nothing is lost, the next start reads it again',
  )
}

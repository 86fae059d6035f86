import { createServer } from 'node:net'
import { StackError } from './stack-error.ts'
import type { StackPorts } from './stack-model.ts'

/** The first of the default ports; the others follow it in the order of {@link PORT_NAMES}. */
export const PORT_BASE_DEFAULT = 19_090

/** Every port of the stack; a port's place is its distance from the base. */
export const PORT_NAMES = [
  's3',
  'kms',
  'kafka',
  'kafkaController',
  'cassandra',
  'cassandraStorage',
  'cassandraJmx',
] as const satisfies readonly (keyof StackPorts)[]

// Below the ranges that Linux (32768) and macOS (49152) hand to outgoing connections: a picked
// port cannot be taken by somebody's client socket between the check and the start.
const FREE_BASE_MIN = 20_000
const FREE_BASE_MAX = 32_000
const FREE_TRIES_MAX = 200

/** The ports `base`, `base + 1`, ... in the order of {@link PORT_NAMES}. Throws STACK_PORT_REFUSED. */
export function portsFrom(base: number): StackPorts {
  if (!Number.isInteger(base) || base < 1024 || base + PORT_NAMES.length > 65_536) {
    throw new StackError('STACK_PORT_REFUSED', `port base ${base} is refused: take 1024 to 65529`)
  }
  const pairs = PORT_NAMES.map((name, distance) => [name, base + distance] as const)
  return Object.fromEntries(pairs) as unknown as StackPorts
}

/** True when this process could listen on 127.0.0.1:`port` now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true))
    })
  })
}

/** The names among `names` whose port somebody listens on. */
export async function takenPorts(
  ports: StackPorts,
  names: readonly (keyof StackPorts)[],
): Promise<(keyof StackPorts)[]> {
  const free = await Promise.all(names.map((name) => isPortFree(ports[name])))
  return names.filter((_, position) => !free[position])
}

/** Picks ports that are free now. Two processes may pick the same ones: the caller retries. */
export async function pickFreePorts(): Promise<StackPorts> {
  for (let tries = 0; tries < FREE_TRIES_MAX; tries += 1) {
    const span = FREE_BASE_MAX - FREE_BASE_MIN
    const ports = portsFrom(FREE_BASE_MIN + Math.floor(Math.random() * span))
    if ((await takenPorts(ports, PORT_NAMES)).length === 0) return ports
  }
  throw new StackError(
    'STACK_PORT_REFUSED',
    `no ${PORT_NAMES.length} free ports in a row between ${FREE_BASE_MIN} and ${FREE_BASE_MAX}: end a stack that is not needed`,
  )
}

/** Throws STACK_PORT_REFUSED, naming port and flag, when a port of `names` is doubled or taken. */
export async function checkPorts(
  ports: StackPorts,
  names: readonly (keyof StackPorts)[],
): Promise<void> {
  const seen = new Map<number, keyof StackPorts>()
  for (const name of PORT_NAMES) {
    const other = seen.get(ports[name])
    if (other !== undefined) {
      throw new StackError(
        'STACK_PORT_REFUSED',
        `port ${ports[name]} is given twice: change ${portFlag(name)} or ${portFlag(other)}`,
      )
    }
    seen.set(ports[name], name)
  }
  const taken = await takenPorts(ports, names)
  if (taken.length === 0) return
  const list = taken.map((name) => `${ports[name]} (${portFlag(name)})`).join(', ')
  throw new StackError(
    'STACK_PORT_REFUSED',
    `taken by another program: port ${list}. Give another port by the flag named, or all of them by --port-base`,
  )
}

/** The command-line flag that sets a port: `kafkaController` is `--kafka-controller-port`. */
export function portFlag(name: keyof StackPorts): string {
  return `--${kebab(name)}-port`
}

/** The environment variable that sets a port: `SEALSTREAM_STACK_KAFKA_CONTROLLER_PORT`. */
export function portVariable(name: keyof StackPorts): string {
  return `SEALSTREAM_STACK_${kebab(name).replaceAll('-', '_').toUpperCase()}_PORT`
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

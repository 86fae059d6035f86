/** The demo found something wrong, or cannot go on. The message is one line and names the way out. */
export class DemoError extends Error {
  /** File name of the log that says more, where there is one. */
  readonly logName: string | null

  constructor(message: string, logName: string | null = null) {
    super(message)
    this.name = 'DemoError'
    this.logName = logName
  }
}

/** The user or the system asked the demo to end. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`ended by ${signal}`)
    this.name = 'Interrupted'
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/** The demo does not begin, and has touched nothing. The message names the way out. */
export class DemoRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DemoRefused'
  }
}

/** Milliseconds since some fixed moment. Only differences have a meaning. */
export type Clock = () => number

/**
 * The clock for durations. The wall clock (Date.now) jumps when somebody sets the machine's time: an outage of a second
 * could seem to last an hour, or never end. Use Date.now only for times that people or other machines read.
 */
export const monotonicMs: Clock = () => performance.now()

export const STOPPED = 'stopped before everything was there'

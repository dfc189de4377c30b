/* Doubles to integers as x86-64 converts them: what does not fit becomes the smallest integer. */
#ifndef headpond_integer_h
#define headpond_integer_h

static inline long long headpond_int64(double d) {
  return d >= -9223372036854775808.0 && d < 9223372036854775808.0 ? (long long)d : -0x7fffffffffffffffLL - 1;
}

static inline int headpond_int(double d) {
  return d > -2147483649.0 && d < 2147483648.0 ? (int)d : -0x7fffffff - 1;
}

static inline unsigned long long headpond_uint64(double d) {
  const double half = 9223372036854775808.0;
  return d >= half ? (unsigned long long)headpond_int64(d - half) ^ (1ULL << 63) : (unsigned long long)headpond_int64(d);
}

#endif

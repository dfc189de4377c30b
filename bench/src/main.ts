process.stdout.write('no benchmark suites yet\n')

export {}

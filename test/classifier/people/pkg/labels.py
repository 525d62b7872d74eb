LABEL = 'from the package'

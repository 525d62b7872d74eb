from scoring import run

run('orders.csv', 'out.csv')

from scoring import classify, load, save

df = load('orders.csv')
df = classify(df)
save(df, 'out.csv')

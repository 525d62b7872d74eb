import pandas as pd
def main():
	df = pd.read_csv('orders.csv')
	text = '''one
	two
	three'''
	for col in ('a', 'b'):
		if col == 'a':
			df[col] = text
		else:
			df[col] = (df['price']
				+ 1)
	df.to_csv('out.csv', index=False)
if __name__ == '__main__':
	main()
